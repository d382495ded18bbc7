#include "common/version.h"

namespace bank {

std::string_view Version() { return BANK_VERSION; }

}  // namespace bank
