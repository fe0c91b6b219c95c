@NullMarked
package org.casement.protocol.guestapi;

import org.jspecify.annotations.NullMarked;
