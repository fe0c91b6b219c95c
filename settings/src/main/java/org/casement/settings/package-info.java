/// The configuration as files of TOML: each part of the program reads its own tables and says what
/// is wrong in them, with the line.
@NullMarked
package org.casement.settings;

import org.jspecify.annotations.NullMarked;
