@NullMarked
package org.casement.protocol.rdp;

import org.jspecify.annotations.NullMarked;
