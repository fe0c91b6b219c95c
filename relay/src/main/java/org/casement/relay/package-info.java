/// What connectors share: inherited listeners, the door, static pages, WebSocket proof, byte pumps.
@NullMarked
package org.casement.relay;

import org.jspecify.annotations.NullMarked;
