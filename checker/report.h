// The verdict, for people and for programs.
#pragma once

#include <string>

#include "checker/judge.h"

namespace bank::checker {

// `elapsed_ms`: how long judging took.
std::string TableReport(const Judgement& judgement, int64_t elapsed_ms);
// One JSON object on one line.
std::string JsonReport(const Judgement& judgement, int64_t elapsed_ms);

}  // namespace bank::checker
