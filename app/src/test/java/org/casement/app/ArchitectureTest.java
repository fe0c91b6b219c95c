package org.casement.app;

import static com.tngtech.archunit.core.domain.JavaCall.Predicates.target;
import static com.tngtech.archunit.core.domain.JavaClass.Predicates.resideInAPackage;
import static com.tngtech.archunit.core.domain.properties.HasName.Predicates.name;
import static com.tngtech.archunit.core.domain.properties.HasOwner.Predicates.With.owner;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.classes;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;
import static com.tngtech.archunit.library.dependencies.SlicesRuleDefinition.slices;
import static org.assertj.core.api.Assertions.assertThat;

import com.tngtech.archunit.core.domain.JavaClasses;
import com.tngtech.archunit.core.importer.ClassFileImporter;
import com.tngtech.archunit.core.importer.ImportOption;
import org.junit.jupiter.api.Test;

/// The invariants of docs/architecture.md that a POM cannot say.
class ArchitectureTest {
  private static final JavaClasses CASEMENT =
      new ClassFileImporter()
          .withImportOption(ImportOption.Predefined.DO_NOT_INCLUDE_TESTS)
          .importPackages("org.casement");

  @Test
  void theRulesSeeAllModules() {
    for (String module :
        new String[] {
          "session",
          "protocol",
          "isolation",
          "settings",
          "node",
          "relay",
          "web",
          "console",
          "guestapi",
          "supervisor",
          "app"
        }) {
      assertThat(CASEMENT.that(resideInAPackage("org.casement." + module + "..")))
          .as(module)
          .hasSizeGreaterThan(1);
    }
  }

  @Test
  void nounsAndProtocolsDoNoInputOrOutput() {
    noClasses()
        .that()
        .resideInAnyPackage("org.casement.session..", "org.casement.protocol..")
        .should()
        .dependOnClassesThat()
        .resideInAnyPackage("java.net..", "java.nio.channels..", "io.netty..")
        .orShould()
        .dependOnClassesThat()
        .belongToAnyOf(Thread.class, ProcessBuilder.class, java.nio.file.Files.class)
        .check(CASEMENT);
  }

  /// What runs as root on every node is small.
  @Test
  void theNodeAgentNeedsIsolationAndSettingsOnly() {
    noClasses()
        .that()
        .resideInAPackage("org.casement.node..")
        .should()
        .dependOnClassesThat()
        .resideOutsideOfPackages(
            "java..",
            "org.jspecify..",
            "org.casement.node..",
            "org.casement.isolation..",
            "org.casement.settings..")
        .check(CASEMENT);
  }

  @Test
  void onlyIsolationCallsNativeCode() {
    noClasses()
        .that()
        .resideOutsideOfPackage("org.casement.isolation..")
        .should()
        .dependOnClassesThat()
        .resideInAPackage("java.lang.foreign..")
        .check(CASEMENT);
  }

  @Test
  void onlySupervisorAndIsolationStartProcesses() {
    noClasses()
        .that()
        .resideOutsideOfPackages("org.casement.isolation..", "org.casement.supervisor..")
        .should()
        .dependOnClassesThat()
        .belongToAnyOf(ProcessBuilder.class)
        .orShould()
        .callMethodWhere(target(name("exec")).and(target(owner(name("java.lang.Runtime")))))
        .check(CASEMENT);
  }

  @Test
  void nettyStaysWithRelayConnectorsAndGuestApi() {
    noClasses()
        .that()
        .resideOutsideOfPackages(
            "org.casement.relay..",
            "org.casement.web..",
            "org.casement.console..",
            "org.casement.guestapi..")
        .should()
        .dependOnClassesThat()
        .resideInAPackage("io.netty..")
        .check(CASEMENT);
  }

  @Test
  void connectorsAndSupervisorDoNotSeeEachOther() {
    noClasses()
        .that()
        .resideInAnyPackage("org.casement.web..", "org.casement.console..", "org.casement.relay..")
        .should()
        .dependOnClassesThat()
        .resideInAnyPackage("org.casement.supervisor..", "org.casement.isolation..")
        .check(CASEMENT);
    noClasses()
        .that()
        .resideInAPackage("org.casement.supervisor..")
        .should()
        .dependOnClassesThat()
        .resideInAnyPackage("org.casement.web..", "org.casement.console..")
        .check(CASEMENT);
    noClasses()
        .that()
        .resideInAPackage("org.casement.web..")
        .should()
        .dependOnClassesThat()
        .resideInAPackage("org.casement.console..")
        .check(CASEMENT);
  }

  @Test
  void environmentAndExitBelongToTheProgram() {
    noClasses()
        .that()
        .resideOutsideOfPackage("org.casement.app..")
        .and()
        .doNotHaveFullyQualifiedName("org.casement.node.NodeMain") // a program too
        .should()
        .callMethodWhere(
            target(owner(name("java.lang.System")))
                .and(target(name("getenv")).or(target(name("exit")))))
        .check(CASEMENT);
  }

  /// A node whose time of day jumps must not move anything in a session's life: there the time
  /// comes from SteadyClock and System.nanoTime().
  @Test
  void onlyTheProgramReadsTheTimeOfDay() {
    noClasses()
        .that()
        .resideOutsideOfPackages(
            "org.casement.app..", "org.casement.isolation..", "org.casement.node..")
        .should()
        .callMethodWhere(
            target(owner(name("java.lang.System"))).and(target(name("currentTimeMillis"))))
        .orShould()
        .callMethodWhere(target(owner(resideInAPackage("java.time.."))).and(target(name("now"))))
        .orShould()
        .callMethodWhere(target(owner(name("java.time.InstantSource"))).and(target(name("system"))))
        .orShould()
        .dependOnClassesThat()
        .belongToAnyOf(java.time.Clock.class, java.util.Date.class)
        .check(CASEMENT);
  }

  @Test
  void packagesHaveNoCyclesAndModestNames() {
    slices().matching("org.casement.(**)").should().beFreeOfCycles().check(CASEMENT);
    classes()
        .should()
        .haveNameNotMatching(".*(Impl|Manager|Util|Utils|Helper|Factory|Abstract[A-Z].*)")
        .check(CASEMENT);
  }
}
