@NullMarked
package org.casement.protocol.rdcleanpath;

import org.jspecify.annotations.NullMarked;
