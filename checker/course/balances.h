// What is right about balances: the judge's own model of one balance that all branches share.
//
// A deposit adds, a withdrawal takes if there is enough and otherwise fails and changes nothing, a
// query tells. An amount of 0 changes nothing, and either result of it is right. The balance is at
// most 2^63-1. Pure.
#pragma once

#include <functional>

#include "checker/course/answers.h"
#include "checker/course/grade.h"
#include "course/script.h"

namespace bank::checker::course {

enum class Order { kSequential, kConverged, kConcurrent };

// The entries one after the other, as the input has them: every answer is determined.
void JudgeSequential(const script::Script& script, const Answers& answers, Grade* grade);

// All entries at once. kConverged: the queries that end an entry come when all else is done.
// kConcurrent: every answer but for the entries' own order anywhere. Some order must explain all.
void JudgeAtOnce(const script::Script& script, const Answers& answers, Order order,
                 const std::function<bool()>& out_of_time, Grade* grade);

// Only what the four guarantees force on each entry by itself: what it reads holds its own earlier
// writes, all it has read before, and of the others' writes any, in each one's order; with
// kSequential, of those before it alone.
void JudgeSessions(const script::Script& script, const Answers& answers, Order order,
                   const std::function<bool()>& out_of_time, Grade* grade);

}  // namespace bank::checker::course
