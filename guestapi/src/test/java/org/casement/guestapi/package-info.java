/// Over real sockets, with the JDK's own HTTP client as the agent.
@NullMarked
package org.casement.guestapi;

import org.jspecify.annotations.NullMarked;
