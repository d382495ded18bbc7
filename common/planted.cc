#include "common/planted.h"

#ifdef BANK_PLANTED_BUGS
#include <cstdlib>
#include <iterator>

#include "common/check.h"

namespace bank {
namespace {

// The number of the bug in this process, or -1.
int Chosen() {
  const char* name = std::getenv("BANK_PLANTED_BUG");
  if (name == nullptr || *name == '\0') return -1;
  for (size_t i = 0; i < std::size(kPlantedNames); ++i) {
    if (kPlantedNames[i] == name) return static_cast<int>(i);
  }
  BANK_CHECK(false) << "BANK_PLANTED_BUG=" << name << " is no bug of common/planted.h";
  return -1;
}

}  // namespace

bool IsPlanted(Planted bug) {
  static const int chosen = Chosen();
  return chosen == static_cast<int>(bug);
}

}  // namespace bank
#endif
