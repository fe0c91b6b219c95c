/// Test tools: users, canaries, leak counts; knows no module under test.
@NullMarked
package org.casement.testkit;

import org.jspecify.annotations.NullMarked;
