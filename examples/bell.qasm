OPENQASM 3.0;
include "stdgates.inc";

// A Bell pair: half of the shots read 00, the other half 11.
qubit[2] q;
bit[2] meas;

h q[0];
cx q[0], q[1];
meas = measure q;
