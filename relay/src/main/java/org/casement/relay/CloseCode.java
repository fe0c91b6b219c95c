package org.casement.relay;

/// Why a connector closes a WebSocket (contracts/door.md).
public enum CloseCode {
  NORMAL(1000),
  GOING_AWAY(1001),
  BAD_MESSAGE(4400),
  ENTER_AGAIN(4401),
  REFUSED(4403),
  TAKEN_OVER(4409),
  NOT_THERE(4503);

  private final int number;

  CloseCode(int number) {
    this.number = number;
  }

  public int number() {
    return number;
  }
}
