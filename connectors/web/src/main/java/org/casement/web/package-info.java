/// The web connector: IronRDP in the browser, RDCleanPath, credentials injected on the node.
@NullMarked
package org.casement.web;

import org.jspecify.annotations.NullMarked;
