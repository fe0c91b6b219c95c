/// The node agent: the small privileged service that seals jobs' network namespaces and decides who
/// joins them. It never touches what a guest or a network wrote.
@NullMarked
package org.casement.node;

import org.jspecify.annotations.NullMarked;
