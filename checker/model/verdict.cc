#include "checker/model/verdict.h"

namespace bank::checker {

std::string_view VerdictName(Verdict verdict) {
  switch (verdict) {
    case Verdict::kConsistent:
      return "consistent";
    case Verdict::kInconsistent:
      return "inconsistent";
    case Verdict::kUndecided:
      return "undecided";
  }
  return "?";
}

}  // namespace bank::checker
