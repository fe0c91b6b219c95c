/// DER (X.690), as little of it as the protocols here need.
@NullMarked
package org.casement.protocol.der;

import org.jspecify.annotations.NullMarked;
