using Ariya.Data;
using Npgsql;

namespace Ariya.Api.Accounts;

/// <summary>An account as its owner sees it.</summary>
/// <param name="Id">Stable, and the subject of access tokens.</param>
/// <param name="Email">The address as typed.</param>
/// <param name="FirstName">First name.</param>
/// <param name="LastName">Last name.</param>
/// <param name="EmailVerified">Always true: an account begins with a proven mailbox.</param>
/// <param name="Roles">Empty for most people.</param>
/// <param name="Locale">The preferred language (BCP 47), or null.</param>
/// <param name="Vendor">The business, if the account registered as one.</param>
public sealed record AccountBody(
    Guid Id, string Email, string FirstName, string LastName, bool EmailVerified, IReadOnlyList<string> Roles, string? Locale, VendorBody? Vendor)
{
    /// <summary>Reads the columns of accounts and vendors by name.</summary>
    internal static AccountBody Read(NpgsqlDataReader row) => new(
        row.Get<Guid>("id"), row.Get<string>("email"), row.Get<string>("first_name"), row.Get<string>("last_name"), EmailVerified: true,
        row.Get<string[]>("roles"), row.GetNullable<string>("locale"),
        row.GetNullable<string>("business_name") is { } businessName ? new VendorBody(businessName, row.Get<string>("category")) : null);
}

/// <summary>The business of a vendor.</summary>
/// <param name="BusinessName">Its name.</param>
/// <param name="Category">What it offers.</param>
public sealed record VendorBody(string? BusinessName, string? Category);
