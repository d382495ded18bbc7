// Where the checker and the judge by brute force differ.
#pragma once

#include <string>

#include "tests/verdicts/story.h"

namespace bank::verdicts {

// "consistent", "inconsistent", "undecided", "refused".
std::string SaidOf(const std::string& text);   // the checker's
std::string RightOf(const std::string& text);  // by force; "undecided" if that is too long

struct Comparison {
  std::string right;
  // Empty if there is none: "missed" (it is wrong, and was called consistent), "false-alarm",
  // "undecided", "refused", and "counter-example": what it shows is right when judged alone.
  std::string flaw;
  std::string words;  // of the checker
};
Comparison Compare(const Story& story);

// The smallest history, by leaving out what can be left out, with the same flaw.
Story Shrink(Story story, const std::string& flaw);

}  // namespace bank::verdicts
