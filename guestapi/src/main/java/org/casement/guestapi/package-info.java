/// The guest API: HTTP and JSON for the agent in the guest.
@NullMarked
package org.casement.guestapi;

import org.jspecify.annotations.NullMarked;
