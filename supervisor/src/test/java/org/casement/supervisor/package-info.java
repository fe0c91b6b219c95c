@NullMarked
package org.casement.supervisor;

import org.jspecify.annotations.NullMarked;
