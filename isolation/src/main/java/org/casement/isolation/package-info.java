/// Makes the sealed namespace, opens listeners, confines helpers; system calls by the foreign
/// function API.
@NullMarked
package org.casement.isolation;

import org.jspecify.annotations.NullMarked;
