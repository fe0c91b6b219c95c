/// The beginning of an RDP connection ([MS-RDPBCGR]): framing, X.224 negotiation, and the two
/// messages of the client that are changed on their way.
@NullMarked
package org.casement.protocol.rdp;

import org.jspecify.annotations.NullMarked;
