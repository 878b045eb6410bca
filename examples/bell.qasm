// A Bell pair: half of the shots read 00, the other half 11.
// OpenQASM 2, which Qiskit reads without a further package.
OPENQASM 2.0;
include "qelib1.inc";

qreg q[2];
creg meas[2];

h q[0];
cx q[0], q[1];
measure q -> meas;
