using Ariya.Data.Accounts;

namespace Ariya.Tests.Units;

/// <summary>Addresses that people have, and texts that are none; what each rule is about stands in <see cref="EmailAddressTests"/>.</summary>
public sealed class AddressTableTests
{
    public static TheoryData<string> Valid =>
    [
        "ada@example.com", "ADA@EXAMPLE.COM", "a@example.com", "ada.lovelace@example.com", "ada-lovelace@example.com", "ada_lovelace@example.com",
        "ada+news@example.com", "ada.b.c.d@example.com", "1815@example.com", "0@example.com", "_@example.com", "-@example.com", "a-@example.com",
        "o'neill@example.ie", "x/y@example.com", "a=b@example.com", "a?b@example.com", "a#b@example.com", "a$b@example.com", "a%b@example.com",
        "a&b@example.com", "a*b@example.com", "a!b@example.com", "a^b@example.com", "a`b@example.com", "a{b}@example.com", "a|b@example.com", "a~b@example.com",
        "ada@example.museum", "ada@mail.example.co.uk", "ada@a.b.c.d.example.org", "ada@x1.example", "ada@1x.example", "ada@123.example", "ada@ex-ample.com",
        "müller@example.de", "用户@example.com", "ада@example.com", "ada@münchen.example", "ada@пример.example", "δοκιμή@example.gr",
    ];

    public static TheoryData<string> Invalid =>
    [
        "ada", "@", "ada@", "@example.com", "ada@@example.com", "ada@example@com", "ada@example", "ada@localhost", ".ada@example.com", "ada.@example.com",
        "a..b@example.com", "ada@.example.com", "ada@example..com", "ada@example.com.", "ada@-example.com", "ada@example-.com", "ada@exam_ple.com",
        "ada @example.com", " ada@example .com", "ada@ example.com", "ada\t@example.com", "ada@example.com\n", "ada@example.com\r\nBcc: b@example.com",
        "a,b@example.com", "a;b@example.com", "a:b@example.com", "a<b@example.com", "<ada@example.com>", "Ada <ada@example.com>", "\"ada\"@example.com",
        "a\\b@example.com", "a(b)@example.com", "a[b]@example.com", "ada@[127.0.0.1]", "ada@127.0.0.1", "ada@[IPv6:::1]", "a\u0000@example.com", "a\u007F@example.com",
        "a\u202Eb@example.com", "a\u200Bb@example.com", "mailto:ada@example.com?subject=x", "ada%40example.com", "http://ada@example.com/",
    ];

    [Theory]
    [Trait("Promise", "P05")]
    [MemberData(nameof(Valid))]
    public void AnAddressThatPeopleHaveIsTaken(string address) => Assert.True(EmailAddress.TryParse(address, out _));

    [Theory]
    [Trait("Promise", "P05")]
    [MemberData(nameof(Invalid))]
    public void WhatIsNoAddressIsNot(string text) => Assert.False(EmailAddress.TryParse(text, out _));
}
