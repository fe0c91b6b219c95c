/// RDCleanPath: how the RDP engine in a browser asks for a connection, and learns of it.
@NullMarked
package org.casement.protocol.rdcleanpath;

import org.jspecify.annotations.NullMarked;
