/// What a page and a connector say to each other before a WebSocket carries anything
/// (contracts/door.md).
@NullMarked
package org.casement.protocol.door;

import org.jspecify.annotations.NullMarked;
