// Between the commands of bank/v1/monitor.proto and the values of branch/remote_command. Pure.
//
// Nothing is judged here: Check() does that, for what came from anywhere.
#pragma once

#include "bank/v1/monitor.pb.h"
#include "branch/remote_command/catalog.h"
#include "branch/remote_command/runner.h"

namespace bank::remote_command {

void ToWire(const Command& command, v1::Command* wire);
// A kind that this version does not know becomes the command that Check() refuses.
Command FromWire(const v1::Command& wire);

void ToWire(const Ended& ended, v1::CommandResult* wire);

// A deadline of 0 becomes the default.
Order OrderOf(const v1::CommandRequest& request);

}  // namespace bank::remote_command
