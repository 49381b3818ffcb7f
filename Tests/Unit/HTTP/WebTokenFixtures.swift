/// Keys and tokens made with PyJWT 2, for a verifier whose clock stands at `now`.
enum WebTokenFixtures {
    static let now: Int64 = 1_800_000_000
    static let secret = Array("0123456789abcdef0123456789abcdef".utf8)
    static let rsaKey = Array(
        """
        -----BEGIN PUBLIC KEY-----
        MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAvmk46RsdiqFylil1cAHb
        HTj41xCe9VoxaDMO457kwYgt6W1a4Sr6jwrtSvDVXErS+5/L5+AtlikBA/Zkj2MF
        HqzUqNSnbtYYwE5a9FygeDynd0iddkuOVslGzut/KlsBHlUavv3HsdYpchLLOfvo
        ObOZrxKZVyUI060AgjleBhrkJhO4632mFCNZDP79Bl7GIMsSx9++5iauOv7Gr653
        mRDU7qytsVG86pH3j4Ph2sdAKPkD6QFa715g0yJf76NXYcrC15hxv9MGBeBX1yee
        qNwl+k7cAZiNu5jV+A4e1WVWX6y7f0xxmwQEy/BZlnPNyolEAPUrL1muUR/SRGt2
        ZQIDAQAB
        -----END PUBLIC KEY-----

        """.utf8
    )
    static let ellipticKey = Array(
        """
        -----BEGIN PUBLIC KEY-----
        MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAER+oPHylGfg3Qp6PWtkYynigI5THq
        CT1kgCqKrL5Bgz+P2QScTbnPA8ltmAfP5JQcC1keBEb45hy6OD2vwYrDNg==
        -----END PUBLIC KEY-----

        """.utf8
    )
    static let good = """
        eyJhbGciOiJSUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiJjdXN0b21lci03IiwiZXhwIjoxODAwMDAwNjAwLCJpc3MiOiJodHR\
        wczovL2xvZ2luLmV4YW1wbGUiLCJhdWQiOiJzaG9wIn0.dNuXCsTDSQw2hmfvKBMqZs6nj7XBQtiM8_tPcJXLWOiRZWaJy6DPnaX\
        HpC2MeBtZkPxOz31WreIXKp9sy0RiSrcl_pKx1V5EWrVhtJQoG91lqL3Lvzj_FBwUZ2_jj7EZD5zs_uoaZod0VECHe6aHrtetejG\
        2W0UyIZ9RLy3DKh9baxuv435_cFMCCxce5FoUdyfZwSDMoQWYD8lxTIxot_vhUecvpcGT64pIg934kaVPFK680gtrnCQSLGFMlAk\
        0bJJ3Z7ezMqBxhrfJA1spqt0Rh4fE4yEsk8027O9Vid8Nl1GwY3SvEiWpkWdz988lyEs5Jo9bv-uaGq2wUkqIgg
        """
    static let audienceList = """
        eyJhbGciOiJSUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiJjdXN0b21lci03IiwiZXhwIjoxODAwMDAwNjAwLCJpc3MiOiJodHR\
        wczovL2xvZ2luLmV4YW1wbGUiLCJhdWQiOlsib3RoZXIiLCJzaG9wIl19.nTkukNT4JxJKpPTIiaMh4_zGkevg9Cy8JLyzMmqY8Q\
        fLI4E4BonKTbVIKnKF3rD5TKZawKZ6sZIA9HbbDXPPcOFzIV60-9cu3yB-IRw8ybMIco4FJofEN52f8pyQ7F2YUE8fYOgNSdgb6u\
        kj2yhTwMmqpjUG9A6UPWzOBrhO8IK0dAZ3kAjoK1EE7fSxOlrtGreYYLlA2OaQdIn0bQmaLpQmekwZq1P9N99EKoddOlUeCSiqrx\
        RAa9As_jnsHTVs9qOhLDoSAvv86rLVl1s9xsHQVLZrBh-NG0fqgH5ROi326iRxJvzoFgx9geoHrjZXXr0cPguJhpWzWjYYvDCKkQ
        """
    static let es256 = """
        eyJhbGciOiJFUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiJjdXN0b21lci03IiwiZXhwIjoxODAwMDAwNjAwLCJpc3MiOiJodHR\
        wczovL2xvZ2luLmV4YW1wbGUiLCJhdWQiOiJzaG9wIn0.LG-tzqwFIFBnLvDn-ZVLLlaDUwwqcyigJa-P4ISfLcqMNw-aNjPrw_5\
        1oSqD0IY4aBEy6KsQvFAnejDk8xjuuw
        """
    static let hs256 = """
        eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiJjdXN0b21lci03IiwiZXhwIjoxODAwMDAwNjAwLCJpc3MiOiJodHR\
        wczovL2xvZ2luLmV4YW1wbGUiLCJhdWQiOiJzaG9wIn0.Qd9whdI1j6ZQ5MW3zku--3Y3Z0ZqY3GEkI0r8WtCRH4
        """
    static let expired = """
        eyJhbGciOiJSUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiJjdXN0b21lci03IiwiZXhwIjoxNzk5OTk5NDAwLCJpc3MiOiJodHR\
        wczovL2xvZ2luLmV4YW1wbGUiLCJhdWQiOiJzaG9wIn0.RpAHdha6NP8xzyYvS291BdWsg06pPES0VOD_8LuKvWYEsvoPr2DfAyQ\
        aEtpaIMPgfS59VHB8mqaNDICnKrpiRdeR_jzoEitmo0mzmt_2t6uytovC7gFM54qilp8PTOiITjg4146T0E6ny2NCIYX9tYs75aU\
        SUoAoPkpukRo4S-fBIgtrIZ41S62jtPP3bJ4QpYQmPxniyI63V5oowjfmVIthDhZyyHhZIsbmB_WS16ALt7XFb_xSHImQo9iLSX0\
        kOaV6IUoQrFv0j5bds9P-hCTVuPSymX_PZUfrhnjfYbq82f_74zNY_OiW_qq5rPpHyMFdyzKL2G8X9qk68UqBjw
        """
    static let unending = """
        eyJhbGciOiJSUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiJjdXN0b21lci03IiwiaXNzIjoiaHR0cHM6Ly9sb2dpbi5leGFtcGx\
        lIiwiYXVkIjoic2hvcCJ9.euP9ZwO1L7yPFx5_1MItO3YQ_pHP1m-GX9Y1AycyfPgZ8zYMeVNuvmWh4Qr7YCZv6owxlvoUtEs5v5\
        WEy41gmPtnw1TwoRLYifRMSNCQsBWfDYIjrvQECMYtRgP_bNIROrnAXYH7VWeO7uf1maLW6EcT6rHKgIFM6zRApu6EIwbFvnla1u\
        uYyTEKX0JrkD8IgneNn7WBNEYgFgSlqKDfHVOIpZk7UT1dJ9HLlFNggkS6TqwQ8fQ_km0oh1rPLSYIqp6zVQuZb4pnnt5WW8vZ5O\
        BqK4Xd-ZDCJtsuxSaAXO4EQKoaPqGf0QvEvWrHFNkzUtTPNGBMZgG-yxBZjM9z4g
        """
    static let notYet = """
        eyJhbGciOiJSUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiJjdXN0b21lci03IiwiZXhwIjoxODAwMDAwNjAwLCJpc3MiOiJodHR\
        wczovL2xvZ2luLmV4YW1wbGUiLCJhdWQiOiJzaG9wIiwibmJmIjoxODAwMDAwNjAwfQ.SidgPUWlpHqRDuWtI97nNQXIHpl0pc1Q\
        RWL-uZpYUYv7IbMoDC-pVRmaxDED3zXZobnIV91WkLT0ZCXNwOntcEFA0vZiTBKFJKMrVS0-sPLdIg6PsFr85F2--OOeH8Rgk3kv\
        LsD6GsVKxm45vMqEbBapV2rJCKciR7dnOA4WQ6MMGWNtqobMA8ikd19O5vFJb2Y983GJgByO8quvJXoLa1NZQjHQwBLflZnfBDro\
        HtKFj0mdQ4EfLIO9pc-qmwsYPWCD_-wocUMC2ZleFhL5Y847nXz-EUx5z7pUxJZUW1xJztSVMMAbw3cbEqAnPbTH6jfbOBO3ytlz\
        Qo58eaXIaA
        """
    static let otherIssuer = """
        eyJhbGciOiJSUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiJjdXN0b21lci03IiwiZXhwIjoxODAwMDAwNjAwLCJpc3MiOiJodHR\
        wczovL2V2aWwuZXhhbXBsZSIsImF1ZCI6InNob3AifQ.AWmI_Kc9jDxxGP03VJWoUr01ZNJnFTDfVSLioeG-lX9q_SbR8lyhfzgf\
        2lEX7_IWbNLpE6jS-ZWbHw2PuhXTjnd_ozR2XGDcQN6Ou79agV61Rjxw_lkSmDttwAf6tnQBxe9uyB0A8NALptqbbBGB5XLQpIdB\
        5kuGejzII3HvQnoB4HhpHvvuiO6y2SC8hhq2dMOEh1zbLq03qboHes3Om0epTLi9-5dtMnNlGXLkjlbWurSgWhK4WiYPAZcJAsHt\
        0-NRKYeJDDCnu0-fol0-dRmj4iGYdDAlCxoL3XXxs_DKmksP2-Tge0m2gH_iR157tL75E8ukUKju4eZqQ51DLw
        """
    static let otherAudience = """
        eyJhbGciOiJSUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiJjdXN0b21lci03IiwiZXhwIjoxODAwMDAwNjAwLCJpc3MiOiJodHR\
        wczovL2xvZ2luLmV4YW1wbGUiLCJhdWQiOiJiYW5rIn0.Jf3M90cqngo9x_ObyEIkfKzlUJ_43MtVPAPp4QUORLezq8QnAw_lcPc\
        wHO5CvbfCZ0hEHlEt6p8MIklmXbcuKVioHbRKAQBxFz6GTKahSZrtt01oJ0QWQ7YTLSmpiWMo4dEo6td41CKzMapNWVnVkpFjCb2\
        6ciNjc2NIqqD8fW06IkeiS8-Zdpp6jCs0w-RknVtaOkxVjqDCW8PqAospjLDwFysj_2gpjiRBE32oUydyShLsrOkO9kyf0x2gADY\
        u3BREpF4zy-dgd6sdHTquAGqQXBtajyi2kPR4DL0rcefCtqQgtiSyVtIJcq4P0gs_0kgJc17yw6ERgDFhIKkQiA
        """
    static let noSubject = """
        eyJhbGciOiJSUzI1NiIsInR5cCI6IkpXVCJ9.eyJleHAiOjE4MDAwMDA2MDAsImlzcyI6Imh0dHBzOi8vbG9naW4uZXhhbXBsZSI\
        sImF1ZCI6InNob3AifQ.HAMzW5ANDX-Qzy1Bp_iJduAisxltNEoRMc60uCudU2LsQDDSqv0-F31IgkavFLK-qL13OZ8sJlJ3nayl\
        mIT9D5cF99YhZC6WVO0YcPrT8y7yzkWPjwtIkUcfk2LrNgQGw8z1NqanUBPN3gax7aOKSuaCktJ57kQP01OPpvJF6admuZ_3PtN1\
        lJQF5WBThAkqBp12qdIFEhSarWoGA43MZ4xFN5vpoXcb5LyBIbPRRXuBHS-iQDK8uHBm-EmtZ2x5Wh5KAMmFNm_TcdN-9sI2TfUB\
        vDIbwMxbSw81yOzqrToNJFJADW8V8b68Vecwq5umU5fbIC1jydltS2XamTn-1Q
        """
    static let emptySubject = """
        eyJhbGciOiJSUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIiLCJleHAiOjE4MDAwMDA2MDAsImlzcyI6Imh0dHBzOi8vbG9naW4\
        uZXhhbXBsZSIsImF1ZCI6InNob3AifQ.GE83nStHbZk4R4T51o-wB-SCrjuAeqG1945rFHPkzpvFKQlt2ROSYushX206qFYI-mSN\
        WUcdOJ2o8CmgLqdrQPcbtME47SUS97bB0pBbwN7Q5v7Szkye7E7epFD3BOdkYAI8Kga_DxUq9ZeQyzJstBnGMD0c6_yRaSAoPor-\
        R_z5_tvxECngrEhxiTzubIh2dpFPKpeDfU-oAyNmFg84SEtr1sgMKbQaQpciYdFOCCCJdonS2cVyrRK8m0mPvmfxcQYYO6RxDClu\
        bLCx3ANHNYgZeLTTHlHlfSRzhEs-_3tnoIhvrxoUHkZlAfkIsfp5sTRR9TyLyw4ZUrZnXAfhJQ
        """
    static let otherKey = """
        eyJhbGciOiJSUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiJjdXN0b21lci03IiwiZXhwIjoxODAwMDAwNjAwLCJpc3MiOiJodHR\
        wczovL2xvZ2luLmV4YW1wbGUiLCJhdWQiOiJzaG9wIn0.ZzAltzRbYnx7Xang4vBSIaAOeDVTJ_kq5J1Udj2F2AdANUoWVmdSCjM\
        S87Z9xpoVhT5SFDrVU0sNV2PLfCozNYqC0-4zJQkmcehA7Gh6MTK-MLzaBeff2V2pQRaAw4z9ZeFqwBoWouAKKDc8Sv2DiGRIv_e\
        VBw6htDEYzV7pVz7k6957WRGrjKeQ5dUq8UDPfdQaDEkeBtR8Tyup1hQqRhZjUdAxBc74kWr24icDCoB7ZLvpKAAaFkZKF7mpqe3\
        wufiN-O2GJhm54SnjooN4nxqdsbj3Obgqh_aepgntIjI9qTtIeDayjbh7HhpsKG960PWQ4i_lXCFSYQr7NQ2OeA
        """
    static let unsigned = """
        eyJhbGciOiAibm9uZSIsICJ0eXAiOiAiSldUIn0.eyJzdWIiOiJjdXN0b21lci03IiwiZXhwIjoxODAwMDAwNjAwLCJpc3MiOiJo\
        dHRwczovL2xvZ2luLmV4YW1wbGUiLCJhdWQiOiJzaG9wIn0.
        """
    static let hmacWithPublicKey = """
        eyJhbGciOiAiSFMyNTYiLCAidHlwIjogIkpXVCJ9.eyJzdWIiOiAiY3VzdG9tZXItNyIsICJleHAiOiAxODAwMDAwNjAwLCAiaXN\
        zIjogImh0dHBzOi8vbG9naW4uZXhhbXBsZSIsICJhdWQiOiAic2hvcCJ9.cR23Ql7nluajqqnhUCWLjIshxgj8qhkzOGmcGdh33o\
        0
        """
    static let rs512 = """
        eyJhbGciOiJSUzUxMiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiJjdXN0b21lci03IiwiZXhwIjoxODAwMDAwNjAwLCJpc3MiOiJodHR\
        wczovL2xvZ2luLmV4YW1wbGUiLCJhdWQiOiJzaG9wIn0.HD12Yw8aGF6f4a-5qSed-6gxffzS_OZ53VanRLyUV9H8_4ua5c8gINc\
        j4cPMu-MGndFkbhVodHwdRhtQAmiqa8T50PaKsOmlC6CuRDEALmwPokz4ks0hcQU9wFJa8ynPmQU-Uor6N2pUhCc5kylsLFDjG3L\
        E57uFxwrHpLgk_AnN4edjN7B8LYSk5xWJvNU1tI1hLi5g_uAvVDyn0FSPvD-_hJhM7clGMFqbBkchpPVVofLmbYvoNGoOsj9JH6k\
        n3v4LwKLEDmMk-j9E3OFK23i1E1rXGD8eHR1tzl0QffWu8tz4b5_jJWy1a2CmWJ8ti2JEIEkGivGZKlZDi33Zpg
        """
    static let changed = """
        eyJhbGciOiJSUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiAiY3VzdG9tZXItOCIsICJleHAiOiAxODAwMDAwNjAwLCAiaXNzIjo\
        gImh0dHBzOi8vbG9naW4uZXhhbXBsZSIsICJhdWQiOiAic2hvcCJ9.dNuXCsTDSQw2hmfvKBMqZs6nj7XBQtiM8_tPcJXLWOiRZW\
        aJy6DPnaXHpC2MeBtZkPxOz31WreIXKp9sy0RiSrcl_pKx1V5EWrVhtJQoG91lqL3Lvzj_FBwUZ2_jj7EZD5zs_uoaZod0VECHe6\
        aHrtetejG2W0UyIZ9RLy3DKh9baxuv435_cFMCCxce5FoUdyfZwSDMoQWYD8lxTIxot_vhUecvpcGT64pIg934kaVPFK680gtrnC\
        QSLGFMlAk0bJJ3Z7ezMqBxhrfJA1spqt0Rh4fE4yEsk8027O9Vid8Nl1GwY3SvEiWpkWdz988lyEs5Jo9bv-uaGq2wUkqIgg
        """
}
