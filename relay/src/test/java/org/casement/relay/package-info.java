/// Over real sockets, with the JDK's own HTTP and WebSocket client as the browser.
@NullMarked
package org.casement.relay;

import org.jspecify.annotations.NullMarked;
