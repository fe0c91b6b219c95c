/// The nouns: session, state, step, secret, end reason; no I/O, no threads, no clock.
@NullMarked
package org.casement.session;

import org.jspecify.annotations.NullMarked;
