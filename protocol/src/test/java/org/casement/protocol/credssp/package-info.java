@NullMarked
package org.casement.protocol.credssp;

import org.jspecify.annotations.NullMarked;
