/// What the agent in the guest and the session say to each other (contracts/guest-api.md).
@NullMarked
package org.casement.protocol.guestapi;

import org.jspecify.annotations.NullMarked;
