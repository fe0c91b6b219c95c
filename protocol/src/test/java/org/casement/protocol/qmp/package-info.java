@NullMarked
package org.casement.protocol.qmp;

import org.jspecify.annotations.NullMarked;
