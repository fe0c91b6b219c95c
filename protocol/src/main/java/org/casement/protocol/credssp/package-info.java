/// Network level authentication as its client: CredSSP ([MS-CSSP]) with NTLMv2 ([MS-NLMP]).
@NullMarked
package org.casement.protocol.credssp;

import org.jspecify.annotations.NullMarked;
