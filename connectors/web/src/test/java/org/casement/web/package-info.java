/// Over real sockets and TLS, with a scripted desktop.
@NullMarked
package org.casement.web;

import org.jspecify.annotations.NullMarked;
