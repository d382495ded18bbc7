// Known answers of RFC 3720, appendix B.4.
#include "common/crc32c.h"

#include <gtest/gtest.h>

#include <string>

namespace bank {
namespace {

TEST(Crc32c, KnownAnswers) {
  EXPECT_EQ(Crc32c(std::string(32, '\0')), 0x8a9136aau);
  EXPECT_EQ(Crc32c(std::string(32, '\xff')), 0x62a8ab43u);
  EXPECT_EQ(Crc32c("123456789"), 0xe3069283u);
}

TEST(Crc32c, Continues) { EXPECT_EQ(Crc32c("6789", Crc32c("12345")), Crc32c("123456789")); }

}  // namespace
}  // namespace bank
