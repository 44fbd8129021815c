namespace Ariya.Api.Limits;

/// <summary>Which limits a route has; Buckets.cs says what each of them counts.</summary>
internal enum LimitClass
{
    /// <summary>Proves who somebody is: tries at one account, and failed tries of a network at any.</summary>
    Auth,

    /// <summary>Makes a mail be sent.</summary>
    Mail,

    /// <summary>Presents a refresh token.</summary>
    Refresh,

    /// <summary>Everything else.</summary>
    Api,

    /// <summary>Sends a picture.</summary>
    Upload,

    /// <summary>What operators do.</summary>
    Admin,
}

/// <summary>The mark of a limited route. It is found by the endpoint, so that no spelling of a path has a limit of its own.</summary>
internal sealed record Limited(LimitClass Class);

internal static class LimitedRoutes
{
    /// <summary>Limits a route, or every route of a group that does not say otherwise.</summary>
    public static TBuilder Limit<TBuilder>(this TBuilder builder, LimitClass limits) where TBuilder : IEndpointConventionBuilder =>
        builder.WithMetadata(new Limited(limits));
}
