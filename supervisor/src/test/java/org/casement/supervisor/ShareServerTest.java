package org.casement.supervisor;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.file.Path;
import java.util.List;
import org.casement.session.Secret;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/// What is written for smbd; what smbd makes of it is shown by the system tests.
class ShareServerTest {
  private static final Share HOME = new Share("home", Path.of("/home/alice"));

  @Test
  void thePasswordFileHoldsTheNtHash() {
    // MD4 of "password" in UTF-16LE: a value that every tool for NTLM knows.
    assertThat(ShareServer.passwordLine(1000, new Secret("password".getBytes(UTF_8))))
        .isEqualTo(
            "casement:1000:"
                + "X".repeat(32)
                + ":8846F7EAEE8FB117AD06BDD830B7586C:[U          ]:LCT-00000001:\n");
  }

  @Test
  void masksAreTheUmasksAndHiddenNamesAreVetoed() {
    SupervisorSettings.Shares shares =
        new SupervisorSettings.Shares(
            List.of(HOME), List.of("ondemand"), Path.of("/usr/sbin/smbd"));
    assertThat(ShareServer.configuration(shares, MachineProfile.SmbDialect.SMB2_10, new Umask(027)))
        .contains("server min protocol = SMB2_10")
        .contains("create mask = 0640", "directory mask = 0750", "veto files = /.*/ondemand/")
        .contains("[home]", "path = \"/home/alice\"");
  }

  @ParameterizedTest
  @ValueSource(strings = {"global", "Homes", "ipc", "", "a b", "a]", "-a", "a\nb"})
  void aNameThatMeansSomethingElseIsRefused(String name) {
    assertThatThrownBy(() -> new Share(name, Path.of("/x")))
        .isInstanceOf(IllegalArgumentException.class);
  }

  @ParameterizedTest
  @ValueSource(strings = {"relative", "/with\nnewline", "/with%U", "/with\"quote"})
  void aPathThatSmbdWouldReadDifferentlyIsRefused(String path) {
    assertThatThrownBy(() -> new Share("x", Path.of(path)))
        .isInstanceOf(IllegalArgumentException.class);
  }

  @Test
  void eachShareHasADriveOfItsOwn() {
    Share second = new Share("Home2", Path.of("/2"));
    Share project = new Share("project", Path.of("/p"));
    Share backup = new Share("backup", Path.of("/b")); // B: is a floppy
    assertThat(Share.drives(List.of(HOME, second, project, backup)))
        .containsEntry(HOME, "H:")
        .containsEntry(second, "Z:")
        .containsEntry(project, "P:")
        .containsEntry(backup, "Y:");
  }
}
