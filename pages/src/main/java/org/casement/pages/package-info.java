/// The pages: session page and console page, bundled from npm packages.
@NullMarked
package org.casement.pages;

import org.jspecify.annotations.NullMarked;
