#include "tests/sim/statistics.h"

#include <cstdio>

namespace bank::sim {

void Statistics::Add(const Statistics& other) {
#define BANK_SIM_ADD(name, required) name += other.name;
  BANK_SIM_COUNTERS(BANK_SIM_ADD)
#undef BANK_SIM_ADD
}

std::string Statistics::Text() const {
  std::string text;
  char line[80];
#define BANK_SIM_LINE(name, required)                                                             \
  snprintf(line, sizeof(line), "  %-28s %14llu\n", #name, static_cast<unsigned long long>(name)); \
  text += line;
  BANK_SIM_COUNTERS(BANK_SIM_LINE)
#undef BANK_SIM_LINE
  return text;
}

std::string Statistics::NeverHappened() const {
  std::string names;
#define BANK_SIM_NAME(name, required) \
  if ((required) && name == 0) names += std::string(names.empty() ? "" : ", ") + #name;
  BANK_SIM_COUNTERS(BANK_SIM_NAME)
#undef BANK_SIM_NAME
  return names;
}

}  // namespace bank::sim
