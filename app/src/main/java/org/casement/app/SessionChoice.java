package org.casement.app;

import java.io.IOException;
import java.net.ConnectException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.casement.session.SessionException;
import org.casement.settings.ConfigurationException;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/// Which of the user's sessions a command means; shared by `link`, `status`, `stop` and `list`.
final class SessionChoice {
  @Option(names = "--config", paramLabel = "FILE", description = "the configuration to use")
  private @Nullable Path config;

  @Parameters(
      arity = "0..1",
      paramLabel = "SESSION",
      description = "which session; may be left out if there is only one")
  private @Nullable String session;

  /// A session that answers.
  record Live(SessionHome home, SessionHome.Whereabouts whereabouts, Map<String, Object> status) {}

  List<Live> live() throws ConfigurationException, IOException {
    Configuration configuration = Configuration.find(Optional.ofNullable(config), System.getenv());
    List<Live> live = new ArrayList<>();
    for (SessionHome home : SessionHome.all(configuration.session().home())) {
      if (session != null && !home.directory().endsWith(session)) {
        continue;
      }
      home.whereabouts().flatMap(whereabouts -> ask(home, whereabouts)).ifPresent(live::add);
    }
    return live;
  }

  private static Optional<Live> ask(SessionHome home, SessionHome.Whereabouts whereabouts) {
    try {
      return Optional.of(
          new Live(home, whereabouts, ControlSocket.ask(whereabouts.runtime(), "status")));
    } catch (IOException e) {
      return Optional.empty(); // on another node, or killed
    }
  }

  Live one() throws ConfigurationException, IOException, SessionException {
    List<Live> live = live();
    String wanted = session;
    if (wanted != null) {
      return live.stream()
          .filter(candidate -> candidate.whereabouts().id().value().equals(wanted))
          .findFirst()
          .orElseThrow(() -> new SessionException("no session " + wanted + " runs on this node"));
    }
    if (live.size() != 1) {
      throw new SessionException(
          live.isEmpty()
              ? "no session of yours runs on this node"
              : "you have "
                  + live.size()
                  + " sessions on this node; say which: "
                  + String.join(
                      ", ", live.stream().map(one -> one.whereabouts().id().value()).toList()));
    }
    return live.getFirst();
  }

  Map<String, Object> ask(String command)
      throws ConfigurationException, IOException, SessionException {
    Live one = one();
    try {
      return ControlSocket.ask(one.whereabouts().runtime(), command);
    } catch (ConnectException e) {
      throw new SessionException("session " + one.whereabouts().id() + " has just ended", e);
    }
  }
}
