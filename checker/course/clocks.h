// The judge of project 2: Lamport's logical clocks, in the form since 2023 and that of 2021.
//
// Pure.
#pragma once

#include <functional>

#include "checker/course/clock_events.h"
#include "checker/course/grade.h"
#include "course/script.h"

namespace bank::checker::course {

// Every request is at every branch exactly once, clocks increase along every process, a receive is
// later than its send, and the parts agree. `strict`: every clock is exactly max+1.
void JudgeClocks(const script::Script& script, ClockOutput output, bool strict,
                 const std::function<bool()>& out_of_time, Grade* grade);

// The same of the blocks of 2021 with their six sub-events; the closing response may be missing.
void JudgeBlocks(const script::Script& script, const ClockOutput& output, bool strict,
                 const std::function<bool()>& out_of_time, Grade* grade);

}  // namespace bank::checker::course
