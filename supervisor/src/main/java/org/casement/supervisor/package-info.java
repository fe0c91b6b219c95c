/// The session supervisor: node check, overlay, share, machine, readiness, drain, end.
@NullMarked
package org.casement.supervisor;

import org.jspecify.annotations.NullMarked;
