package org.casement.node;

/// What the controller knows of a job. Account, QOS and reservation are in no environment, or there
/// as the user wrote them.
///
/// @param partition the one that the job runs in
/// @param reservation empty where there is none; likewise the others
record JobFacts(String state, String partition, String account, String qos, String reservation) {}
