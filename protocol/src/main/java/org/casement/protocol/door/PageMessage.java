package org.casement.protocol.door;

import com.fasterxml.jackson.jr.ob.JSON;
import java.io.IOException;
import java.util.Map;
import java.util.Set;
import org.casement.protocol.ProtocolException;
import org.casement.session.PowerAction;

/// What a page says in JSON: to enter, to prove itself, and in the events route. Each message has
/// exactly the members of the contract; a new one means a new version.
public sealed interface PageMessage {
  /// Longest message, in bytes (contracts/door.md). The longest of ours has 110.
  int LIMIT_BYTES = 1024;

  /// Message 1 of the proof: this tab, this nonce.
  record Hello(String tab, String nonce) implements PageMessage {}

  /// Message 3 of the proof.
  record Proof(String proof) implements PageMessage {}

  /// What a page asks for in the events route.
  sealed interface Command extends PageMessage {}

  /// The user ends the session.
  record End() implements Command {}

  /// The user presses a button of the machine, on its console.
  record Power(PowerAction action) implements Command {}

  /// The page measures the way: it is answered with the same `id`.
  record Echo(int id) implements Command {}

  static Hello hello(byte[] json) throws ProtocolException {
    Map<String, Object> members = members(json, Set.of("v", "tab", "nonce"));
    if (!Integer.valueOf(1).equals(members.get("v"))) {
      throw new ProtocolException("door message of another version than 1");
    }
    String tab = text(members, "tab");
    if (!DoorProof.isTabName(tab)) {
      throw new ProtocolException("tab is not 16 characters of base64url");
    }
    return new Hello(tab, textOf32Bytes(members, "nonce"));
  }

  static Proof proof(byte[] json) throws ProtocolException {
    return new Proof(textOf32Bytes(members(json, Set.of("proof")), "proof"));
  }

  static Command command(byte[] json) throws ProtocolException {
    Map<String, Object> members = members(json);
    return switch (text(members, "type")) {
      case "end" -> {
        exactly(members, Set.of("type"));
        yield new End();
      }
      case "power" -> {
        exactly(members, Set.of("type", "action"));
        yield new Power(
            PowerAction.of(text(members, "action"))
                .orElseThrow(() -> new ProtocolException("unknown power action")));
      }
      case "echo" -> {
        exactly(members, Set.of("type", "id"));
        if (members.get("id") instanceof Integer id && id >= 0) {
          yield new Echo(id);
        }
        throw new ProtocolException("id is not a whole number below 2^31");
      }
      default -> throw new ProtocolException("unknown command");
    };
  }

  /// The token in the body of `POST enter`, as the page sends it.
  static String entryToken(byte[] json) throws ProtocolException {
    return textOf32Bytes(members(json, Set.of("token")), "token");
  }

  private static Map<String, Object> members(byte[] json, Set<String> wanted)
      throws ProtocolException {
    Map<String, Object> members = members(json);
    exactly(members, wanted);
    return members;
  }

  private static Map<String, Object> members(byte[] json) throws ProtocolException {
    if (json.length > LIMIT_BYTES) {
      throw new ProtocolException("message of more than " + LIMIT_BYTES + " bytes");
    }
    Map<String, Object> members;
    try {
      members = JSON.std.mapFrom(json);
    } catch (IOException malformed) {
      throw new ProtocolException("not a JSON object", malformed);
    }
    if (members == null) {
      throw new ProtocolException("not a JSON object");
    }
    return members;
  }

  private static void exactly(Map<String, Object> members, Set<String> wanted)
      throws ProtocolException {
    if (!members.keySet().equals(wanted)) {
      throw new ProtocolException("message must have exactly the members " + wanted);
    }
  }

  private static String text(Map<String, Object> members, String name) throws ProtocolException {
    if (members.get(name) instanceof String text) {
      return text;
    }
    throw new ProtocolException(name + " is not a string");
  }

  private static String textOf32Bytes(Map<String, Object> members, String name)
      throws ProtocolException {
    String text = text(members, name);
    if (!DoorProof.is32Bytes(text)) {
      throw new ProtocolException(name + " is not 43 characters of base64url");
    }
    return text;
  }
}
