/// The program casement: subcommands, configuration, wiring.
@NullMarked
package org.casement.app;

import org.jspecify.annotations.NullMarked;
