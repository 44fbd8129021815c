using System.Buffers.Binary;
using System.IO.Compression;
using System.Text;
using Ariya.Api.Accounts.Avatars;

namespace Ariya.Tests.Profiles;

/// <summary>
/// What is left of an uploaded picture. The pixels of real files, before and after, were compared with other programs; the samples
/// here that come from such a program come back byte for byte.
/// </summary>
public sealed class PictureTests
{
    private const string Secret = "SECRET 52.5 N 13.4 E";

    private static readonly byte[] s_signature = [0x89, .. "PNG\r\n\u001a\n"u8];

    // 16 by 16, cjpeg -progressive -restart 1B.
    private static readonly byte[] s_progressive = Convert.FromBase64String(
        """
        /9j/4AAQSkZJRgABAQAAAQABAAD/2wBDABQODxIPDRQSEBIXFRQYHjIhHhwcHj0sLiQySUBMS0dARkVQWnNiUFVtVkVGZIhlbXd7gYKBTmCNl4x9lnN+gXz/
        2wBDARUXFx4aHjshITt8U0ZTfHx8fHx8fHx8fHx8fHx8fHx8fHx8fHx8fHx8fHx8fHx8fHx8fHx8fHx8fHx8fHx8fHz/wgARCAAQABADASIAAhEBAxEB/8QA
        FgABAQEAAAAAAAAAAAAAAAAAAAME/8QAFAEBAAAAAAAAAAAAAAAAAAAABP/dAAQAAf/aAAwDAQACEAMQAAABxJEK/8QAFRABAQAAAAAAAAAAAAAAAAAAABH/
        2gAIAQEAAQUCr//Qr//Rr//Sr//EABURAQEAAAAAAAAAAAAAAAAAAAAU/9oACAEDAQE/AaH/xAAVEQEBAAAAAAAAAAAAAAAAAAAAFP/aAAgBAgEBPwGZ/8QA
        FBABAAAAAAAAAAAAAAAAAAAAAP/aAAgBAQAGPwJ//9B//9F//9J//8QAFBABAAAAAAAAAAAAAAAAAAAAAP/aAAgBAQABPyE//9A//9E//9I//9oADAMBAAIA
        AwAAABDz/8QAFREBAQAAAAAAAAAAAAAAAAAAAHH/2gAIAQMBAT8Qp//EABURAQEAAAAAAAAAAAAAAAAAAABx/9oACAECAQE/EIf/xAAUEAEAAAAAAAAAAAAA
        AAAAAAAA/9oACAEBAAE/ED//0D//0T//0j//2Q==
        """);

    // 16 by 16, cjpeg -restart 1B with a scan for each component.
    private static readonly byte[] s_threeScans = Convert.FromBase64String(
        """
        /9j/4AAQSkZJRgABAQAAAQABAAD/2wBDABQODxIPDRQSEBIXFRQYHjIhHhwcHj0sLiQySUBMS0dARkVQWnNiUFVtVkVGZIhlbXd7gYKBTmCNl4x9lnN+gXz/
        2wBDARUXFx4aHjshITt8U0ZTfHx8fHx8fHx8fHx8fHx8fHx8fHx8fHx8fHx8fHx8fHx8fHx8fHx8fHx8fHx8fHx8fHz/wAARCAAQABADASIAAhEBAxEB/8QA
        FQABAQAAAAAAAAAAAAAAAAAABQb/xAAVEAEBAAAAAAAAAAAAAAAAAAAAE//dAAQAAf/aAAgBAQAAPwAaj//QGo//0Zyj/9Kco//EABQBAQAAAAAAAAAAAAAA
        AAAAAAX/xAAWEQADAAAAAAAAAAAAAAAAAAAAFWH/2gAIAQIRAD8AQWw//8QAFAEBAAAAAAAAAAAAAAAAAAAABf/EABYRAAMAAAAAAAAAAAAAAAAAAAAVYf/a
        AAgBAxEAPwBRhT//2Q==
        """);

    // 16 by 16, cwebp.
    private static readonly byte[] s_lossy = Convert.FromBase64String(
        """
        UklGRjoAAABXRUJQVlA4IC4AAABwAQCdASoQABAAD8CWJbACdAFAAAD+6uW4LRAiT5Zn5bO8Q4H/dOPVdwN1wAAA
        """);

    // 16 by 16, cwebp -lossless.
    private static readonly byte[] s_lossless = Convert.FromBase64String(
        """
        UklGRigAAABXRUJQVlA4TBsAAAAvD8ADAImM6H9IxIJJ/vK9Q/j7/0REFAAgdwEA
        """);

    // 16 by 16, cwebp of a picture with an alpha channel: VP8X, ALPH of an odd length, 'VP8 '.
    private static readonly byte[] s_alpha = Convert.FromBase64String(
        """
        UklGRnoAAABXRUJQVlA4WAoAAAAQAAAADwAADwAAQUxQSCUAAAABfyAQIBzw3ysiIpJuh1kAaBRiiSWWWGKJJZYZ7I/of4ByuvsLAFZQOCAuAAAAcAEAnQEq
        EAAQAA/AliWwAnQBQAAA/urluC0QIk+WZ+WzvEOB/3Tj1XcDdcAAAA==
        """);

    // 2 by 2, two frames.
    private static readonly byte[] s_animated = Convert.FromBase64String(
        """
        UklGRoQAAABXRUJQVlA4WAoAAAACAAAAAQAAAQAAQU5JTQYAAAAAAAAAAABBTk1GKAAAAAAAAAAAAAEAAAEAAAAAAAJWUDhMDwAAAC8BQAAABxD9j/4HIqL/
        AQBBTk1GKAAAAAAAAAAAAAEAAAEAAAAAAABWUDhMDwAAAC8BQAAABxDR//4HIqL/AQA=
        """);

    private static readonly Dictionary<string, byte[]> s_samples = new()
    {
        ["a PNG"] = Png(Header(16, 16)),
        ["an indexed PNG"] = Png(Header(16, 16, colour: 3), Chunk("sRGB", 0), Chunk("PLTE", 1, 2, 3, 4, 5, 6), Chunk("tRNS", 0)),
        ["a JPEG with several scans"] = s_threeScans,
        ["a progressive JPEG"] = s_progressive,
        ["a lossy WebP"] = s_lossy,
        ["a lossless WebP"] = s_lossless,
        ["a WebP with alpha"] = s_alpha,
    };

    public static TheoryData<string> Samples => [.. s_samples.Keys];

    [Theory]
    [MemberData(nameof(Samples))]
    public void APictureOfAKnownKindIsAcceptedWithItsSizeAndComesBackByteForByte(string name)
    {
        var picture = Picture.Read(s_samples[name], out var reason);
        Assert.NotNull(picture);
        Assert.Equal(("", 16, 16), (reason, picture.Width, picture.Height));
        Assert.Equal($"image/{name.Split(' ').First(word => word is "PNG" or "JPEG" or "WebP").ToLowerInvariant()}", picture.ContentType);
        Assert.Equal(s_samples[name], picture.Bytes);
    }

    [Theory]
    [MemberData(nameof(Samples))]
    public void NothingElseThatIsInTheFileIsInTheResult(string name)
    {
        var sample = s_samples[name];
        byte[] planted = [.. sample switch
        {
            [0x89, ..] => PlantInPng(sample),
            [0xFF, ..] => PlantInJpeg(sample),
            _ => PlantInWebp(sample),
        }, .. "PK\u0003\u0004"u8, .. "<script>"u8, .. Encoding.ASCII.GetBytes(Secret)];
        Assert.Equal(sample, Clean(planted));
    }

    [Theory]
    [MemberData(nameof(Samples))]
    public void CleaningTwiceGivesTheSameBytes(string name)
    {
        var once = Clean(s_samples[name] is [0xFF, ..] jpeg ? WithSegments(jpeg, Exif(6, isLittle: true), Adobe(1)) : s_samples[name]);
        Assert.Equal(once, Clean(once));
    }

    [Theory]
    [MemberData(nameof(Samples))]
    public void AFileThatEndsTooEarlyIsRefused(string name)
    {
        for (var length = 0; length < s_samples[name].Length; length++)
        {
            Assert.Null(Picture.Read(s_samples[name].AsSpan(0, length), out var reason));
            Assert.NotEmpty(reason);
        }
    }

    [Theory]
    [MemberData(nameof(Samples))]
    public void AChangedByteIsRefusedOrMakesAPictureThatIsCleanToo(string name)
    {
        byte[] sample = s_samples[name] is [0xFF, ..] jpeg ? WithSegments(jpeg, Exif(6, isLittle: false), Adobe(1)) : [.. s_samples[name]];
        for (var at = 0; at < sample.Length; at++)
        {
            var right = sample[at];
            for (var wrong = 0; wrong <= byte.MaxValue; wrong++)
            {
                sample[at] = (byte)wrong;
                if (Picture.Read(sample, out _) is { } picture)
                {
                    Assert.InRange(picture.Width, 1, Picture.MaxSide);
                    Assert.InRange(picture.Height, 1, Picture.MaxSide);
                    Assert.Equal(picture.Bytes, Clean(picture.Bytes));
                }
            }

            sample[at] = right;
        }
    }

    [Fact]
    public void OtherFilesAreRefusedWhateverTheyAreCalled()
    {
        byte[][] files =
        [
            [], "\0"u8.ToArray(), "GIF89a\u0001\0\u0001\0\0\0\0;"u8.ToArray(), "<svg xmlns='http://www.w3.org/2000/svg'/>"u8.ToArray(),
            "<!doctype html><script>alert(1)</script>"u8.ToArray(), "BM\0\0\0\0"u8.ToArray(), "RIFF\u0004\0\0\0WAVE"u8.ToArray(),
            "\0\0\0\u001cftypavif"u8.ToArray(), "%PDF-1.7"u8.ToArray(), [.. "GIF89a"u8, .. s_lossy],
        ];
        Assert.All(files, file => AssertRefused("Use a PNG, JPEG or WebP picture.", file));
    }

    [Fact]
    public void SidesAreJudgedByTheBytesUpTo4096()
    {
        const string TooLarge = "Use a picture of at most 4096 by 4096 pixels.";
        foreach (var (width, height) in new[] { (4097, 1), (1, 4097), (16000, 16000) })
        {
            AssertRefused(TooLarge, Png(Header(width, height)));
            AssertRefused(TooLarge, JpegOf(width, height));
            AssertRefused(TooLarge, LossyOf(width, height));
            AssertRefused(TooLarge, LosslessOf(width, height));
        }

        AssertRefused(TooLarge, Png(Header(int.MinValue, 1)));
        foreach (var (width, height) in new[] { (0, 1), (1, 0) })
        {
            AssertRefused("This picture is damaged.", Png(Header(width, height)));
            AssertRefused("This picture is damaged.", JpegOf(width, height));
            AssertRefused("This picture is damaged.", LossyOf(width, height));
        }

        Assert.All([Png(Header(4096, 4096)), JpegOf(4096, 4096), LossyOf(4096, 4096), LosslessOf(4096, 4096)], file => Clean(file));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void TheOrientationOfAJpegSurvivesAsTheOnlyTag(bool isLittle)
    {
        for (ushort orientation = 2; orientation <= 8; orientation++)
        {
            byte[] onlyTag =
            [
                0xFF, 0xE1, 0, 34, .. "Exif\0\0MM\0*"u8, 0, 0, 0, 8, 0, 1,
                0x01, 0x12, 0, 3, 0, 0, 0, 1, 0, (byte)orientation, 0, 0, 0, 0, 0, 0,
            ];
            Assert.Equal(WithSegments(s_threeScans, onlyTag), Clean(WithSegments(s_threeScans, Exif(orientation, isLittle))));
        }

        foreach (var orientation in new ushort[] { 0, 1, 9, 0x600, ushort.MaxValue })
        {
            Assert.Equal(s_threeScans, Clean(WithSegments(s_threeScans, Exif(orientation, isLittle))));
        }
    }

    [Fact]
    public void TheFirstOrientationBeforeTheScansCounts()
    {
        var (turned, flipped) = (Exif(6, isLittle: true), Exif(2, isLittle: true));
        Assert.Equal(Clean(WithSegments(s_threeScans, turned)), Clean(WithSegments(s_threeScans, turned, flipped)));
        Assert.Equal(s_threeScans, Clean([.. s_threeScans[..^2], .. turned, .. Adobe(0), .. s_threeScans[^2..]]));
    }

    [Fact]
    public void AnExifSegmentThatPointsElsewhereHasNoOrientation()
    {
        foreach (var directory in new uint[] { 0, 7, 9, 5000, int.MaxValue, 0x80000000, uint.MaxValue - 1, uint.MaxValue })
        {
            var exif = Exif(6, isLittle: false);
            BinaryPrimitives.WriteUInt32BigEndian(exif.AsSpan(14), directory);
            Assert.Equal(s_threeScans, Clean(WithSegments(s_threeScans, exif)));
        }

        // Every length of the TIFF part, with a number of entries that is not there.
        for (var length = 0; length < 34; length++)
        {
            byte[] tiff = [.. "MM\0*\0\0\0\u0008"u8, 0xFF, 0xFF, .. new byte[24]];
            Assert.Equal(s_threeScans, Clean(WithSegments(s_threeScans, Segment(0xE1, [.. "Exif\0\0"u8, .. tiff.AsSpan(0, length)]))));
        }
    }

    [Fact]
    public void WhatTellsTheColoursOfAJpegIsKeptWithoutTheRest()
    {
        // JFIF's version, density and thumbnail, and Adobe's version and flags, are anybody's bytes.
        byte[] noisyJfif = [.. "JFIF\0"u8, 1, 2, 1, 0, 72, 0, 72, 1, 1, 9, 9, 9];
        var bare = s_threeScans.AsSpan(20);
        byte[] noisy = [0xFF, 0xD8, .. Segment(0xE0, noisyJfif), .. Segment(0xEE, [.. "Adobe"u8, .. "SECRET"u8, 1, 7, 7]), .. bare];
        Assert.Equal([.. s_threeScans.AsSpan(0, 20), .. Adobe(1), .. bare], Clean(noisy));

        byte[] neither = [0xFF, 0xD8, .. Segment(0xE0, "JFIF\0"u8), .. Segment(0xEE, "Adobe"u8), .. bare];
        Assert.Equal([0xFF, 0xD8, .. bare], Clean(neither));
    }

    [Fact]
    public void AJpegOfAnUncommonProcessIsRefused()
    {
        foreach (var marker in new byte[] { 0xC3, 0xC5, 0xC6, 0xC7, 0xC9, 0xCA, 0xCB, 0xCD, 0xCE, 0xCF })
        {
            byte[] file = [.. JpegOf(16, 16).Select(value => value == 0xC0 ? marker : value)];
            AssertRefused("Use a baseline or progressive JPEG picture.", file);
        }
    }

    [Fact]
    public void AJpegOfWrongStructureIsRefused()
    {
        var (frame, scan) = (Segment(0xC0, [8, 0, 16, 0, 16, 1, 1, 0x11, 0]), Segment(0xDA, [1, 1, 0, 0, 63, 0]));
        byte[][][] wrong =
        [
            [frame], [scan], [scan, frame], [frame, frame, scan], [frame, Segment(0xDA, [1, 2, 0, 0, 63, 0])], [frame, Segment(0xDA, [])],
            [frame, Segment(0xDB, [0, 1, 2]), scan], [frame, Segment(0xC4, [0, .. new byte[15]]), scan],
            [frame, Segment(0xC4, [0, .. Enumerable.Repeat((byte)17, 16), .. new byte[272]]), scan], [frame, Segment(0xDD, [0]), scan],
            [frame, [0xFF, 0xD0], scan], [frame, [0xFF, 0xE0, 0, 1], scan], [frame, [0xFF, 0xE0, 0xFF, 0xFF], scan], [frame, [0], scan],
            [Segment(0xC0, [12, 0, 16, 0, 16, 1, 1, 0x11, 0]), scan], [Segment(0xC0, [8, 0, 16, 0, 16, 1, 1, 0x51, 0]), scan],
            [Segment(0xC0, [8, 0, 16, 0, 16, 1, 1, 0x10, 0]), scan], [Segment(0xC0, [8, 0, 16, 0, 16, 1, 1, 0x11, 4]), scan],
            [Segment(0xC0, [8, 0, 16, 0, 16, 3, 1, 0x11, 0, 1, 0x11, 0, 2, 0x11, 0]), scan],
            [frame, Segment(0xDA, [2, 1, 0, 1, 0, 0, 63, 0])], [frame, Segment(0xDA, [1, 1, 0x40, 0, 63, 0])],
            [frame, scan, Segment(0xDC, [0, 16])], [frame, scan, [0xFF, 0xD8]], [frame, .. Enumerable.Repeat(scan, 101)],
        ];
        Assert.NotNull(Picture.Read(Jpeg(frame, scan), out _));
        Assert.All(wrong, segments => AssertRefused("This picture is damaged.", Jpeg(segments)));
    }

    [Fact]
    public void TheScansOfAProgressiveJpegNameBandsAndBitsThatExist()
    {
        var frame = Segment(0xC2, [8, 0, 16, 0, 16, 3, 1, 0x11, 0, 2, 0x11, 0, 3, 0x11, 0]);
        byte[][] right = [[3, 1, 0, 2, 0, 3, 0, 0, 0, 1], [1, 2, 0, 1, 63, 0], [1, 2, 0, 1, 63, 0x21], [1, 3, 0, 5, 5, 0x0D]];
        byte[][] wrong =
        [
            [1, 2, 0, 0, 63, 0], [1, 2, 0, 1, 64, 0], [1, 2, 0, 6, 5, 0], [1, 2, 0, 1, 63, 0x11], [1, 2, 0, 1, 63, 0x31],
            [1, 2, 0, 1, 63, 0x0E], [2, 1, 0, 2, 0, 1, 63, 0], [2, 2, 0, 1, 0, 0, 0, 0],
        ];
        Assert.All(right, scan => Clean(Jpeg(frame, Segment(0xDA, scan))));
        Assert.All(wrong, scan => AssertRefused("This picture is damaged.", Jpeg(frame, Segment(0xDA, scan))));
    }

    [Fact]
    public void FillBytesBeforeMarkersAreDroppedAndStuffedOnesStay()
    {
        var (frame, scan) = (Segment(0xC0, [8, 0, 16, 0, 16, 1, 1, 0x11, 0]), Segment(0xDA, [1, 1, 0, 0, 63, 0]));
        byte[] coded = [1, 0xFF, 0, 2, 0xFF, 0xD3, 3, 0xFF, 0xFF, 0xD4, 4];
        Assert.Equal(Jpeg(frame, scan, coded, scan), Clean(Jpeg([0xFF, 0xFF], frame, scan, coded, [0xFF, 0xFF, 0xFF], scan)));
    }

    [Fact]
    public void AWrongChecksumIsRefusedInWhatIsKeptAndDoesNotMatterInWhatIsDropped()
    {
        byte[][] chunks = [Header(16, 16, colour: 3), Chunk("sRGB", 0), Chunk("PLTE", 1, 2, 3), Chunk("tRNS", 0), Data(), Chunk("IEND")];
        foreach (var chunk in chunks)
        {
            chunk[^1] ^= 1;
            AssertRefused("This picture is damaged.", Concat([s_signature, .. chunks]));
            chunk[^1] ^= 1;
        }

        var text = Chunk("tEXt", 1, 2, 3);
        text[^1] ^= 1;
        Assert.Equal(Concat([s_signature, .. chunks]), Clean(Concat([s_signature, chunks[0], text, .. chunks[1..]])));
    }

    [Fact]
    public void APngHeaderNamesOneOfTheFifteenPixelFormats()
    {
        var accepted = from colour in Enumerable.Range(0, 256)
                       from depth in Enumerable.Range(0, 256)
                       let palette = colour == 3 ? Chunk("PLTE", 1, 2, 3) : []
                       where Picture.Read(Png(Header(16, 16, (byte)colour, (byte)depth), palette), out _) is not null
                       select (colour, depth);
        Assert.Equal(
            [(0, 1), (0, 2), (0, 4), (0, 8), (0, 16), (2, 8), (2, 16), (3, 1), (3, 2), (3, 4), (3, 8), (4, 8), (4, 16), (6, 8), (6, 16)],
            accepted);
        foreach (var (compression, filter, interlace) in new[] { (1, 0, 0), (0, 1, 0), (0, 0, 2) })
        {
            byte[] data = [0, 0, 0, 16, 0, 0, 0, 16, 8, 2, (byte)compression, (byte)filter, (byte)interlace];
            AssertRefused("This picture is damaged.", Png(Chunk("IHDR", data)));
        }

        Assert.NotNull(Picture.Read(Png(Chunk("IHDR", 0, 0, 0, 16, 0, 0, 0, 16, 8, 2, 0, 0, 1)), out _));
    }

    [Fact]
    public void APngOfWrongStructureIsRefused()
    {
        var (header, indexed, palette, data, end) = (Header(16, 16), Header(16, 16, 3, 1), Chunk("PLTE", 1, 2, 3), Data(), Chunk("IEND"));
        byte[][][] wrong =
        [
            [], [data, end], [Chunk("IHDR", new byte[12]), data, end], [header, end], [header, data], [header, header, data, end],
            [header, data, Chunk("tEXt"), data, end], [header, data, Chunk("IEND", 0)], [header, Chunk("CgBI"), data, end],
            [header, Chunk("te t"), data, end], [header, Chunk("\0\0\0\0"), data, end], [indexed, data, end], [indexed, data, palette, end],
            [indexed, palette, palette, data, end], [indexed, Chunk("PLTE"), data, end], [indexed, Chunk("PLTE", 1, 2), data, end],
            [indexed, Chunk("PLTE", new byte[9]), data, end], [Header(16, 16, 0), palette, data, end],
            [indexed, Chunk("tRNS", 0), palette, data, end], [indexed, palette, Chunk("tRNS", 0, 0), data, end],
            [indexed, palette, Chunk("sRGB", 0), data, end], [header, Chunk("sRGB", 4), data, end], [header, Chunk("tRNS", 0), data, end],
            [Header(16, 16, 6), Chunk("tRNS", new byte[6]), data, end], [header, data, Chunk("sRGB", 0), end],
            [header, [0x7F, 0xFF, 0xFF, 0xFF, .. "tEXt"u8, 0, 0, 0, 0]], [header, [0xFF, 0xFF, 0xFF, 0xFF, .. "tEXt"u8, 0, 0, 0, 0]],
        ];
        Assert.All(wrong, chunks => AssertRefused("This picture is damaged.", Concat([s_signature, .. chunks])));
    }

    [Fact]
    public void APngThatMovesBecomesItsStillPicture()
    {
        byte[][] moving =
        [
            s_signature, Header(16, 16), Chunk("acTL", new byte[8]), Chunk("fcTL", new byte[26]), Data(), Chunk("fcTL", new byte[26]),
            Chunk("fdAT", new byte[20]), Chunk("IEND"),
        ];
        Assert.Equal(Png(Header(16, 16)), Clean(Concat(moving)));
    }

    [Fact]
    public void ThePaletteOfAPngThatIsNotIndexedIsDropped() =>
        Assert.Equal(Png(Header(16, 16)), Clean(Png(Header(16, 16), Chunk("PLTE", [.. Encoding.ASCII.GetBytes(Secret), 0]))));

    [Fact]
    public void AWebpThatMovesIsRefused()
    {
        AssertRefused("Use a picture that does not move.", s_animated);
        // The flag alone, and the frames alone.
        AssertRefused("Use a picture that does not move.", Riff(Extended(16, 16, flags: 0x02), s_lossy[12..]));
        AssertRefused("Use a picture that does not move.", Riff(Extended(16, 16), RiffChunk("ANMF", new byte[16]), s_lossy[12..]));
    }

    [Fact]
    public void AnExtendedWebpWithoutAlphaBecomesASimpleOne()
    {
        Assert.Equal(s_lossy, Clean(Riff(Extended(16, 16, flags: 0x2C), RiffChunk("ICCP", 1, 2, 3), s_lossy[12..])));
        // A lossless picture carries its own alpha.
        Assert.Equal(s_lossless, Clean(Riff(Extended(16, 16, flags: 0x10), RiffChunk("ALPH", 1, 2, 3), s_lossless[12..])));
    }

    [Fact]
    public void AWebpOfWrongStructureIsRefused()
    {
        var (pixels, alpha) = (s_lossy[12..], RiffChunk("ALPH", 1, 2, 3));
        byte[][] wrong =
        [
            Riff(), Riff(Extended(16, 16)), Riff(Extended(16, 17), pixels), Riff(Extended(17, 16), s_lossless[12..]), Riff(pixels, pixels),
            Riff(pixels, s_lossless[12..]), Riff(pixels, Extended(16, 16)), Riff(RiffChunk("VP8X", new byte[9]), pixels),
            Riff(RiffChunk("EXIF", 1, 2), pixels), Riff(Extended(16, 16), alpha, alpha, pixels),
            Riff(Extended(16, 16), RiffChunk("ALPH", 2, 2, 3), pixels), Riff(Extended(16, 16), RiffChunk("ALPH", 1), pixels),
            Riff(pixels, [1, 2, 3]), Riff(pixels, [.. "EXIF"u8, 0xFF, 0xFF, 0xFF, 0xFF]), Riff(pixels, [.. "EXIF"u8, 1, 0, 0, 0, 9]),
            Riff(pixels, [.. "EXIF"u8, 1, 0, 0, 0, 9, 9]), Riff(RiffChunk("VP8 ", new byte[10])), Riff(RiffChunk("VP8L", new byte[5])),
            .. new[] { 0x11, 0x18, 0x00, 0x30 }.Select(tag => Riff(RiffChunk("VP8 ", (byte)tag, 0, 0, 0x9D, 0x01, 0x2A, 16, 0, 16, 0))),
            Riff(RiffChunk("VP8L", 0x2F, 0, 0, 0, 0x20)), [.. "RIFF"u8, 0xFF, 0xFF, 0xFF, 0xFF, .. s_lossy[8..]],
            [.. "RIFF"u8, 3, 0, 0, 0, .. s_lossy[8..]],
        ];
        Assert.All(wrong, file => AssertRefused("This picture is damaged.", file));
    }

    private static byte[] Clean(ReadOnlySpan<byte> file)
    {
        var picture = Picture.Read(file, out var reason);
        Assert.NotNull(picture);
        Assert.Equal("", reason);
        Assert.Equal(-1, picture.Bytes.AsSpan().IndexOf("SECRET"u8));
        return picture.Bytes;
    }

    private static void AssertRefused(string expected, byte[] file)
    {
        Assert.Null(Picture.Read(file, out var reason));
        Assert.Equal(expected, reason);
    }

    private static byte[] Concat(params byte[][] parts) => [.. parts.SelectMany(part => part)];

    // PNG

    private static byte[] Png(byte[] header, params byte[][] beforeData) =>
        Concat([s_signature, header, .. beforeData, Data(), Chunk("IEND")]);

    private static byte[] Header(int width, int height, byte colour = 2, byte depth = 8)
    {
        byte[] data = [0, 0, 0, 0, 0, 0, 0, 0, depth, colour, 0, 0, 0];
        BinaryPrimitives.WriteInt32BigEndian(data, width);
        BinaryPrimitives.WriteInt32BigEndian(data.AsSpan(4), height);
        return Chunk("IHDR", data);
    }

    // Enough for 16 by 16 pixels of three bytes.
    private static byte[] Data()
    {
        using var compressed = new MemoryStream();
        using (var zlib = new ZLibStream(compressed, CompressionLevel.Optimal, leaveOpen: true))
        {
            zlib.Write(new byte[16 * (1 + (16 * 3))]);
        }

        return Chunk("IDAT", compressed.ToArray());
    }

    private static byte[] Chunk(string type, params byte[] data)
    {
        byte[] chunk = [0, 0, 0, 0, .. Encoding.ASCII.GetBytes(type), .. data, 0, 0, 0, 0];
        BinaryPrimitives.WriteInt32BigEndian(chunk, data.Length);
        var crc = uint.MaxValue;
        foreach (var value in chunk[4..^4])
        {
            crc ^= value;
            for (var bit = 0; bit < 8; bit++)
            {
                crc = (crc & 1) == 0 ? crc >> 1 : 0xEDB88320 ^ (crc >> 1);
            }
        }

        BinaryPrimitives.WriteUInt32BigEndian(chunk.AsSpan(^4), ~crc);
        return chunk;
    }

    private static byte[] PlantInPng(byte[] png)
    {
        var text = Encoding.ASCII.GetBytes(Secret);
        string[] before = ["tEXt", "zTXt", "iTXt", "eXIf", "iCCP", "tIME", "gAMA", "cHRM", "pHYs", "bKGD", "zzZz"];
        var afterHeader = s_signature.Length + 12 + 13;
        return Concat(
            [png[..afterHeader], .. before.Select(type => Chunk(type, text)), png[afterHeader..^12], Chunk("tEXt", text), png[^12..]]);
    }

    // JPEG

    private static byte[] Jpeg(params byte[][] parts) => Concat([[0xFF, 0xD8], .. parts, [0xFF, 0xD9]]);

    private static byte[] JpegOf(int width, int height) => Jpeg(
        Segment(0xC0, [8, (byte)(height >> 8), (byte)height, (byte)(width >> 8), (byte)width, 1, 1, 0x11, 0]),
        Segment(0xDA, [1, 1, 0, 0, 63, 0]), [1, 2, 3]);

    private static byte[] Segment(byte marker, ReadOnlySpan<byte> data) =>
        [0xFF, marker, (byte)((data.Length + 2) >> 8), (byte)(data.Length + 2), .. data];

    private static byte[] Adobe(byte transform) => Segment(0xEE, [.. "Adobe"u8, 0, 100, 0, 0, 0, 0, transform]);

    private static byte[] WithSegments(byte[] jpeg, params byte[][] segments) => Concat([jpeg[..2], .. segments, jpeg[2..]]);

    /// <summary>Three entries, the orientation in the middle, then a GPS directory's text.</summary>
    private static byte[] Exif(ushort orientation, bool isLittle)
    {
        byte[] order = isLittle ? [.. "II"u8] : [.. "MM"u8];
        return Segment(0xE1, Concat(
            [
                [.. "Exif\0\0"u8], order, Number(42, 2), Number(8, 4), Number(3, 2),
                Number(0x010F, 2), Number(2, 2), Number(Secret.Length, 4), Number(50, 4),
                Number(0x0112, 2), Number(3, 2), Number(1, 4), Number(orientation, 2), Number(0, 2),
                Number(0x8825, 2), Number(4, 2), Number(1, 4), Number(50, 4),
                Number(0, 4), Encoding.ASCII.GetBytes(Secret),
            ]));

        byte[] Number(int value, int length)
        {
            var bytes = Enumerable.Range(0, length).Select(at => (byte)(value >> (8 * at)));
            return [.. isLittle ? bytes : bytes.Reverse()];
        }
    }

    private static byte[] PlantInJpeg(byte[] jpeg)
    {
        var text = Encoding.ASCII.GetBytes(Secret);
        byte[] markers = [.. Enumerable.Range(0xE0, 16).Select(marker => (byte)marker), 0xFE];
        var planted = WithSegments(jpeg,
            [
                .. markers.Select(marker => Segment(marker, text)), Exif(1, isLittle: true),
                Segment(0xE1, [.. "http://ns.adobe.com/xap/1.0/\0"u8, .. text]),
                Segment(0xE2, [.. "ICC_PROFILE\0\u0001\u0001"u8, .. text]), Segment(0xED, [.. "Photoshop 3.0\0"u8, .. text]),
            ]);
        return [.. planted[..^2], .. Segment(0xFE, text), .. Exif(6, isLittle: true), .. planted[^2..]];
    }

    // WebP

    private static byte[] Riff(params byte[][] chunks)
    {
        var file = Concat([[.. "RIFF\0\0\0\0WEBP"u8], .. chunks]);
        BinaryPrimitives.WriteInt32LittleEndian(file.AsSpan(4), file.Length - 8);
        return file;
    }

    private static byte[] RiffChunk(string type, params byte[] data) =>
        [.. Encoding.ASCII.GetBytes(type), (byte)data.Length, (byte)(data.Length >> 8), 0, 0, .. data, .. new byte[data.Length & 1]];

    private static byte[] Extended(int width, int height, byte flags = 0) => RiffChunk("VP8X",
        flags, 0, 0, 0, (byte)(width - 1), (byte)((width - 1) >> 8), 0, (byte)(height - 1), (byte)((height - 1) >> 8), 0);

    private static byte[] LossyOf(int width, int height) => Riff(RiffChunk("VP8 ",
        0x10, 0, 0, 0x9D, 0x01, 0x2A, (byte)width, (byte)(width >> 8), (byte)height, (byte)(height >> 8)));

    private static byte[] LosslessOf(int width, int height)
    {
        byte[] data = [0x2F, 0, 0, 0, 0];
        BinaryPrimitives.WriteInt32LittleEndian(data.AsSpan(1), (width - 1) | ((height - 1) << 14));
        return Riff(RiffChunk("VP8L", data));
    }

    private static byte[] PlantInWebp(byte[] webp)
    {
        var text = Encoding.ASCII.GetBytes(Secret);
        var hasAlpha = webp[15] == 'X';
        return Riff(Extended(16, 16, flags: (byte)(hasAlpha ? 0x3C : 0x2C)), RiffChunk("ICCP", text), RiffChunk("junk", [.. text, 1]),
            webp[(hasAlpha ? 30 : 12)..], RiffChunk("EXIF", text), RiffChunk("XMP ", text), RiffChunk("zzzz", text));
    }
}
