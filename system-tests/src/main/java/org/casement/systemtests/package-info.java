/// Tests on real parts: QEMU, smbd, Chromium, namespaces.
@NullMarked
package org.casement.systemtests;

import org.jspecify.annotations.NullMarked;
