/// Bytes to messages and back, without I/O: RDP, RDCleanPath, QMP, guest API, door proof.
@NullMarked
package org.casement.protocol;

import org.jspecify.annotations.NullMarked;
