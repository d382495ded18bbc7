// Certificate: is the history what one bank, doing one thing at a time, could have answered?
//
// Every answer carries its place in the total order, so that the order need not be searched for. It
// is checked that no two writes claim one place; that a small model of a bank, fed in that order,
// gives every answer again; and that the order agrees with real time: what was answered before
// another operation began has its place before it. Reads that ask for less than the newest may be
// old, but must be true of the place they name, and none may see what nobody had asked for yet.
#pragma once

#include <string>

#include "tests/sim/history.h"
#include "tests/sim/model.h"

namespace bank::sim {

// An empty string, or what is wrong. `final` is the model after the last write.
std::string CheckCertificate(const History& history, Model* final);

}  // namespace bank::sim
