/// QEMU Machine Protocol: what QEMU says and is told over its control socket (QEMU documentation,
/// "QEMU Machine Protocol Specification").
@NullMarked
package org.casement.protocol.qmp;

import org.jspecify.annotations.NullMarked;
