/// RDP as far as the node takes part ([MS-RDPBCGR]): framing, X.224 negotiation, the two messages
/// of the client that are changed on their way, static virtual channels, and sound ([MS-RDPEA]).
@NullMarked
package org.casement.protocol.rdp;

import org.jspecify.annotations.NullMarked;
