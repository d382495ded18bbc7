// Goal: a number is what it looks like, or refused; nothing is clamped or read as C does.
// Method: tables of texts; for the flags, all three places where one can stand.
#include "common/decimal.h"

#include <gtest/gtest.h>

namespace bank {
namespace {

TEST(Decimal, ReadsDigits) {
  EXPECT_EQ(ParseDecimal<int64_t>("0"), 0);
  EXPECT_EQ(ParseDecimal<int64_t>("10"), 10);
  EXPECT_EQ(ParseDecimal<int64_t>("-7"), -7);
  EXPECT_EQ(ParseDecimal<int64_t>("9223372036854775807"), INT64_MAX);
  EXPECT_EQ(ParseDecimal<int64_t>("-9223372036854775808"), INT64_MIN);
  EXPECT_EQ(ParseDecimal<uint64_t>("18446744073709551615"), UINT64_MAX);
}

TEST(Decimal, RefusesWhatMayMeanSomethingElse) {
  for (const char* text :
       {"",      "010",   "00",    "-0",  "-01", "0x10", "0b1", "+1",  " 1",       "1 ",
        "1_000", "1'000", "1,000", "1e3", "1.0", "-",    "--1", "one", "\xd9\xa1", "1\n"}) {
    EXPECT_EQ(ParseDecimal<int64_t>(text), std::nullopt) << text;
    EXPECT_NE(WhyNotDecimal(text, UINT64_MAX), "") << text;
  }
}

TEST(Decimal, ClampsNothing) {
  EXPECT_EQ(ParseDecimal<int64_t>("9223372036854775808"), std::nullopt);
  EXPECT_EQ(ParseDecimal<uint64_t>("18446744073709551616"), std::nullopt);
  EXPECT_EQ(ParseDecimal<uint64_t>("-1"), std::nullopt);
  EXPECT_EQ(ParseDecimal<uint16_t>("65536"), std::nullopt);
  EXPECT_EQ(ParseDecimal<int64_t>("99999999999999999999"), std::nullopt);
  EXPECT_EQ(ParseDecimal<int>("51", 1, 50), std::nullopt);
  EXPECT_EQ(ParseDecimal<int>("0", 1, 50), std::nullopt);
  EXPECT_EQ(WhyNotDecimal("99999999999999999999", INT64_MAX),
            "'99999999999999999999' is larger than 9223372036854775807");
  EXPECT_EQ(WhyNotDecimal("9223372036854775807", INT64_MAX), "");
}

TEST(Decimal, Fractions) {
  for (const char* text : {"0", "5", "0.25", "86400.0", "10.050"}) {
    EXPECT_TRUE(IsDecimalFraction(text)) << text;
  }
  for (const char* text : {"", ".5", "5.", "-1", "nan", "inf", "1e3", "0x1p3", "1.2.3", "05"}) {
    EXPECT_FALSE(IsDecimalFraction(text)) << text;
  }
}

}  // namespace
}  // namespace bank
